<?php

/**
 * A proxy in front of a server whose first answers fail: php faulty.php URL FAULTS
 *
 * Each of FAULTS, a JSON list, is "drop" (the answer is lost), "hang" (none comes), or [status, header]. It
 * prints its address, and then each body that it gets, as lines.
 */

declare(strict_types=1);

[, $target, $faults] = $argv;
$faults = json_decode($faults, true, flags: JSON_THROW_ON_ERROR);
$listener = stream_socket_server('tcp://127.0.0.1:0');
echo 'http://', stream_socket_get_name($listener, false), "\n";
$hanging = [];
// A test that failed does not leave it running.
while (($connection = @stream_socket_accept($listener, 60)) !== false) {
    $head = '';
    while (($line = fgets($connection)) !== false && trim($line) !== '') {
        $head .= $line;
    }
    preg_match('/^(\S+) (\S+)/', $head, $request);
    $length = preg_match('/^content-length: (\d+)/mi', $head, $found) === 1 ? (int) $found[1] : 0;
    $body = $length > 0 ? stream_get_contents($connection, $length) : '';
    echo json_encode($body), "\n";
    $fault = array_shift($faults);
    if ($fault === 'hang') {
        $hanging[] = $connection;
        continue;
    }
    if (is_array($fault)) {
        [$status, $header] = $fault;
        fwrite($connection, "HTTP/1.1 $status Fault\r\n{$header}Content-Length: 0\r\nConnection: close\r\n\r\n");
        fclose($connection);
        continue;
    }
    $curl = curl_init($target . $request[2]);
    preg_match_all('/^(?:content-type|x-api-key|authorization): .*$/mi', $head, $headers);
    curl_setopt_array($curl, [
        CURLOPT_CUSTOMREQUEST => $request[1],
        CURLOPT_HTTPHEADER => array_map(trim(...), $headers[0]),
        CURLOPT_POSTFIELDS => $body,
        CURLOPT_RETURNTRANSFER => true,
    ]);
    $answer = (string) curl_exec($curl);
    if ($fault !== 'drop') {
        $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        $length = strlen($answer);
        fwrite($connection, "HTTP/1.1 $status OK\r\nContent-Length: $length\r\nConnection: close\r\n\r\n$answer");
    }
    fclose($connection);
}
