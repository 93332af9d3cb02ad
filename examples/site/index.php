<?php
$h = fn ($value) => htmlspecialchars(is_string($value) ? $value : json_encode($value), ENT_QUOTES | ENT_SUBSTITUTE);
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>PHP behind Node</title>
<link rel="stylesheet" href="style.css">
<h1>PHP <?= PHP_VERSION ?> behind Node</h1>
<p>This page came from <code><?= $h(PHP_SAPI) ?></code> through <code><?= $h($_SERVER['SERVER_SOFTWARE']) ?></code>.
Try the <a href="form.php">form</a>, or <a href="index.php/path/info?query=1">this page with a path behind it</a>.</p>
<h2><code>$_SERVER</code></h2>
<table>
<?php foreach ($_SERVER as $name => $value): ?>
<tr><th><?= $h((string) $name) ?><td><?= $h($value) ?>

<?php endforeach ?>
</table>
</html>
