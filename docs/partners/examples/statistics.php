<?php
// Figures of whole weeks, with a key.
$address = getenv('PARAVENT_URL') . '/api/v1/hotlines/' . rawurlencode($argv[1]) . '/statistics/';
$context = stream_context_create(['http' => [
    'header' => 'Authorization: Bearer ' . getenv('PARAVENT_KEY'), 'timeout' => 8, 'ignore_errors' => true,
]]);
$answer = json_decode(file_get_contents($address, false, $context), true, 512, JSON_THROW_ON_ERROR);
if (isset($answer['type'])) {
    fwrite(STDERR, "{$answer['title']} {$answer['detail']}\n");
    exit(1);
}
foreach ($answer as $week) {
    echo $week['monday'] . ': ' . ($week['senders'] ?? 'not told') . "\n";
}
