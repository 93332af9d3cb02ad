/** The php.ini of the tests: nothing is held back, room for large bodies, and every file in the private directory. */
export function phpIni(directory: string, more: Readonly<Record<string, string>> = {}): string {
  const settings: Record<string, string> = {
    output_buffering: '0',
    'zlib.output_compression': '0',
    memory_limit: '256M',
    max_execution_time: '120',
    post_max_size: '128M',
    upload_max_filesize: '128M',
    display_errors: '0',
    log_errors: '1',
    html_errors: '0',
    // E_ALL, which is no number where it is quoted.
    error_reporting: '32767',
    'date.timezone': 'UTC',
    sys_temp_dir: directory,
    upload_tmp_dir: directory,
    'session.save_path': directory,
    ...more,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name} = "${value}"\n`)
    .join('')
}
