/** Bytes of a request's body that PHP takes, and that are held in memory: post_max_size. */
export const MAX_BODY_LENGTH: number = 128 * 1024 * 1024

/** The php.ini of the embedded PHP: PHP's own defaults but for these, and over them what the operator gives. */
export function phpIni(directory: string, more: ReadonlyMap<string, string>): string {
  const settings = new Map([
    ['session.save_path', directory],
    ['upload_tmp_dir', directory],
    ['sys_temp_dir', directory],
    ['post_max_size', String(MAX_BODY_LENGTH)],
    ['upload_max_filesize', String(MAX_BODY_LENGTH)],
    ['memory_limit', '256M'],
    // Here it counts sleep, and no computing: event streams would end, endless loops would not.
    ['max_execution_time', '0'],
    // Errors are the log's (STDERR), not the client's.
    ['display_errors', '0'],
    ['log_errors', '1'],
    ['html_errors', '0'],
    // Shared memory is what this build has not; compiled scripts are shared as files.
    ['opcache.enable', '1'],
    ['opcache.file_cache', directory],
    ['opcache.file_cache_only', '1'],
    ['opcache.jit', '0'],
    ...more,
  ])
  return [...settings].map(([name, value]) => `${name} = ${iniValue(value)}\n`).join('')
}

/** A single word stays bare, as with `php -d`: quoted, E_ALL and On would be texts. */
function iniValue(value: string): string {
  return /^\w+$/.test(value) ? value : `"${value.replaceAll('"', '\\"')}"`
}
