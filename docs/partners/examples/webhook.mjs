// Check an event, signed either way, without a library: the body on standard input, its headers in the environment.
import { createHmac, createPublicKey, timingSafeEqual, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const { PARAVENT_SIGNING_KEY: key, WEBHOOK_ID: id, WEBHOOK_TIMESTAMP: at, WEBHOOK_SIGNATURE: written } = process.env;
const body = readFileSync(0);
const signed = Buffer.concat([Buffer.from(`${id}.${at}.`), body]);

function right(version, signature) {
  const given = Buffer.from(signature, "base64");
  if (version === "v1" && key.startsWith("whsec_")) {
    const expected = createHmac("sha256", Buffer.from(key.slice(6), "base64")).update(signed).digest();
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
  if (version === "v1a" && key.startsWith("whpk_")) {
    const x = Buffer.from(key.slice(5), "base64").toString("base64url");
    return verify(null, signed, createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }), given);
  }
  return false;
}

const recent = Math.abs(Date.now() / 1000 - Number(at)) <= 300;
if (!recent || !written.split(" ").some((one) => right(...one.split(",", 2)))) throw new Error("not from Paravent");
console.log(JSON.parse(body).type);
