<?php
require __DIR__ . '/layout.php';

const UPLOAD_ERRORS = [
    UPLOAD_ERR_INI_SIZE => 'it is larger than upload_max_filesize in php.ini',
    UPLOAD_ERR_FORM_SIZE => 'it is larger than the form allows',
    UPLOAD_ERR_PARTIAL => 'only a part of it came',
    UPLOAD_ERR_NO_TMP_DIR => 'PHP has no directory for uploads',
    UPLOAD_ERR_CANT_WRITE => 'PHP could not write it to its disk',
    UPLOAD_ERR_EXTENSION => 'an extension of PHP refused it',
];

$name = is_string($_POST['name'] ?? null) ? trim($_POST['name']) : '';
$file = $_FILES['file'] ?? null;
$error = is_array($file) && is_int($file['error']) ? $file['error'] : UPLOAD_ERR_NO_FILE;

begin_page('A form');
?>
<p>What you send goes through Node to PHP as it comes, in FCGI_STDIN records.</p>

<?php if ($name !== ''): ?>
<p class="answer">Hello, <?= h($name) ?>!</p>
<?php endif ?>
<?php if ($error === UPLOAD_ERR_OK): ?>
<dl class="answer">
<dt>File<dd><?= h($file['name']) ?>

<dt>Size<dd><?= number_format($file['size']) ?> bytes
<dt>Type<dd><?= h($file['type']) ?>

<dt>SHA-256<dd><code id="sha256"><?= hash_file('sha256', $file['tmp_name']) ?></code>
</dl>
<?php elseif ($error !== UPLOAD_ERR_NO_FILE): ?>
<p class="answer">The file was not taken: <?= h(UPLOAD_ERRORS[$error] ?? "error $error") ?>.</p>
<?php endif ?>

<form method="post" enctype="multipart/form-data">
<label for="name">Your name</label>
<input id="name" name="name" autocomplete="name" value="<?= h($name) ?>">
<label for="file">A file, up to <?= h(ini_get('upload_max_filesize')) ?></label>
<input id="file" type="file" name="file">
<button>Send</button>
</form>
<?php
end_page();
