<?php
require __DIR__ . '/layout.php';

const STEPS = 8;
const PAUSE = 300_000; // microseconds

/** Sends on its way what has been written so far. */
function send_now(): void
{
    while (ob_get_level() > 0) {
        ob_end_flush();
    }
    flush();
}

$began = microtime(true);
begin_page('A streamed page');
?>
<p>PHP calls <code>flush()</code> after each line, and Node passes it on at once. Nothing waits for the end.</p>
<ol class="steps">
<?php for ($step = 1; $step <= STEPS; $step++): ?>
<li style="--done: <?= $step / STEPS ?>">Step <?= $step ?> of <?= STEPS ?> <small><?= number_format(microtime(true) - $began, 1) ?> s</small></li>
<?php
    send_now();
    usleep(PAUSE);
endfor;
?>
</ol>
<p class="answer">Done after <?= number_format(microtime(true) - $began, 1) ?> seconds.</p>
<p class="actions"><a class="button" href="stream.php">Once more</a></p>
<?php
end_page();
