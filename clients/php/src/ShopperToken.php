<?php

declare(strict_types=1);

namespace Cartwheel;

/** Tokens with which a browser acts for one shopper. */
final class ShopperToken
{
    /**
     * Signs a token. Call it on the shop's server only: the secret must not leave it.
     *
     * @param string $secret The signing secret of a key, `cws_…`.
     * @param string $shopper The user's id, or `~` and the anonymous id of a guest.
     * @param int $seconds For which the token is valid, at most a day.
     */
    public static function sign(
        #[\SensitiveParameter] string $secret,
        string $shopper,
        int $seconds = 3600,
    ): string {
        $claims = [
            'sub' => $shopper,
            'exp' => time() + $seconds,
            'scope' => 'events:write recommendations:read',
        ];
        $signed = 'v1.' . self::encode(json_encode($claims, JSON_THROW_ON_ERROR));
        return $signed . '.' . self::encode(hash_hmac('sha256', $signed, $secret, true));
    }

    private static function encode(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }
}
