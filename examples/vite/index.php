<?php
session_start();
$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>PHP in Vite</title>
<link rel="icon" href="data:,">
<script type="module" src="/src/main.js"></script>
<h1>PHP <?= PHP_VERSION ?> in Vite</h1>
<p>Your visit number <output id="visits"><?= $_SESSION['visits'] ?></output>.
<button id="count">0</button></p>
<p>Change <code>index.php</code>, <code>src/main.js</code> or <code>src/style.css</code> and look here again.</p>
</html>
