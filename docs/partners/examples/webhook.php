<?php
// Check an event, signed either way, without a library: the body on standard input, its headers in the environment.
$key = getenv('PARAVENT_SIGNING_KEY');
$body = file_get_contents('php://stdin');
$signed = getenv('WEBHOOK_ID') . '.' . getenv('WEBHOOK_TIMESTAMP') . '.' . $body;
$right = abs(time() - (int) getenv('WEBHOOK_TIMESTAMP')) <= 300;
$found = false;
foreach (explode(' ', getenv('WEBHOOK_SIGNATURE')) as $one) {
    [$version, $signature] = explode(',', $one, 2) + [1 => ''];
    if ($version === 'v1' && str_starts_with($key, 'whsec_')) {
        $expected = base64_encode(hash_hmac('sha256', $signed, base64_decode(substr($key, 6)), true));
        $found = $found || hash_equals($expected, $signature);
    }
    if ($version === 'v1a' && str_starts_with($key, 'whpk_')) {
        $raw = base64_decode($signature, true);
        $found = $found || ($raw !== false && strlen($raw) === SODIUM_CRYPTO_SIGN_BYTES
            && sodium_crypto_sign_verify_detached($raw, $signed, base64_decode(substr($key, 5))));
    }
}
if (!$right || !$found) {
    fwrite(STDERR, "not from Paravent\n");
    exit(1);
}
echo json_decode($body, true)['type'] . "\n";
