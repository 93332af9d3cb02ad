<?php
require __DIR__ . '/layout.php';

// The variables of this request. Those of the process around it are left out: they may hold secrets.
const REQUEST_VARIABLES = '/^(?:AUTH_TYPE|GATEWAY_INTERFACE|HTTPS|ORIG_\w+|PHP_SELF|QUERY_STRING|PATH_(?:INFO|TRANSLATED)'
    . '|(?:CONTENT|DOCUMENT|HTTP|REDIRECT|REMOTE|REQUEST|SCRIPT|SERVER|SSL)_\w+)$/';

$variables = array_filter($_SERVER, fn ($name) => preg_match(REQUEST_VARIABLES, (string) $name), ARRAY_FILTER_USE_KEY);
ksort($variables);
$text = fn ($value) => is_string($value) ? $value : json_encode($value);
$server = fn (string $name) => $text($_SERVER[$name] ?? '');

begin_page('PHP ' . PHP_VERSION . ' behind Node');
?>
<ol class="way">
<li>
<b>Browser</b>
<span><?= h($server('REQUEST_METHOD') . ' ' . $server('REQUEST_URI')) ?></span>
<small><?= h($server('REMOTE_ADDR') . ', port ' . $server('REMOTE_PORT')) ?></small>
</li>
<li>
<b>Node</b>
<span><?= h($server('SERVER_SOFTWARE')) ?></span>
<small><?= h($server('SERVER_ADDR') . ', port ' . $server('SERVER_PORT')) ?></small>
</li>
<li>
<b>PHP</b>
<span><?= h(PHP_SAPI) ?></span>
<small>process <?= h((string) getmypid()) ?></small>
</li>
</ol>

<p>Node took this request from your browser and passed it on over FastCGI; this page is PHP’s answer. Try
<a href="<?= h($server('SCRIPT_NAME')) ?>/path/info?query=1">a path behind the script</a>, or send PHP <a href="<?= h(base()) ?>/form.php">a file</a>.</p>

<h2><code>$_SERVER</code></h2>
<table>
<?php foreach ($variables as $name => $value): ?>
<tr><th><?= h((string) $name) ?><td><?= h($text($value)) ?>

<?php endforeach ?>
</table>
<?php
end_page();
