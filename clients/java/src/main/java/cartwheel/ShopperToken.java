package cartwheel;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Tokens with which a browser acts for one shopper. */
public final class ShopperToken {
  private ShopperToken() {}

  /**
   * Signs a token that is valid for at most a day. Call it on the shop's server only: the secret,
   * {@code cws_…}, must not leave it. A guest is written as {@code ~} and the anonymous id.
   */
  public static String sign(String secret, String shopper, Duration valid) {
    var claims = Transport.JSON.createObjectNode();
    claims.put("sub", shopper);
    claims.put("exp", Instant.now().plus(valid).getEpochSecond());
    claims.put("scope", "events:write recommendations:read");
    String signed = "v1." + base64url(claims.toString().getBytes(StandardCharsets.UTF_8));
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
      return signed + "." + base64url(mac.doFinal(signed.getBytes(StandardCharsets.UTF_8)));
    } catch (GeneralSecurityException error) {
      throw new IllegalStateException("every Java has HmacSHA256", error);
    }
  }

  private static String base64url(byte[] bytes) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }
}
