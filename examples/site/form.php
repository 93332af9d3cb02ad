<?php
$h = fn (string $value) => htmlspecialchars($value, ENT_QUOTES | ENT_SUBSTITUTE);
$name = is_string($_POST['name'] ?? null) ? $_POST['name'] : '';
$file = $_FILES['file'] ?? null;
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A form</title>
<link rel="stylesheet" href="style.css">
<h1>A form</h1>
<?php if ($name !== ''): ?>
<p>Hello, <?= $h($name) ?>!</p>
<?php endif ?>
<?php if (is_array($file) && $file['error'] === UPLOAD_ERR_OK): ?>
<p><code><?= $h($file['name']) ?></code> has <?= $file['size'] ?> bytes, SHA-256
<code><?= hash_file('sha256', $file['tmp_name']) ?></code></p>
<?php endif ?>
<form method="post" enctype="multipart/form-data">
<label>Name <input name="name" value="<?= $h($name) ?>"></label>
<label>File <input type="file" name="file"></label>
<button>Send</button>
</form>
<p><a href="index.php">Back</a></p>
</html>
