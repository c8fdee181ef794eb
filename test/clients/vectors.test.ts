// Every golden vector that a client needs, in each language (test/vectors/README.md): CRC,
// encoding, and in Python and Node sealing and the keys.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { loadVectors, type SecureVector } from "../vectors/load_vectors.ts";
import controls from "../vectors/control-datagrams.json";
import { BUN, Driver, LANGUAGES, NODE, PYTHON } from "./driver.ts";

setDefaultTimeout(TEST_MS_MAX);

const STATUSES: readonly string[] = ["ok", "degraded", "critical"];
const vectors = await loadVectors();

for (const language of LANGUAGES) {
  describe.skipIf(language.argv === undefined)(`the client for ${language.name}`, () => {
    test("computes each CRC-32C of the vectors", async () => {
      await using driver = new Driver(language);
      for (const { input_hex, expected_crc_hex } of vectors.crc32c_vectors)
        expect(await driver.do(`crc ${input_hex}`)).toBe(expected_crc_hex);
      expect(vectors.crc32c_vectors).toHaveLength(5);
    });

    test("encodes each frame of the vectors", async () => {
      await using driver = new Driver(language);
      let count = 0;
      for (const vector of vectors.frame_vectors) {
        if (vector.kind !== "encode_decode_roundtrip") continue;
        const { status, pid, timestamp, nonce, payload } = vector.inputs;
        const fields = [STATUSES.indexOf(status), pid, timestamp, nonce, payload];
        expect(await driver.do(`encode ${fields.join(" ")}`)).toBe(vector.expected_wire_hex);
        count++;
      }
      expect(count).toBe(6);
    });

    test("encodes each hello and bye of the vectors", async () => {
      await using driver = new Driver(language);
      for (const { kind, pid, nonce, interval_ms, name, wire_hex } of controls.roundtrips) {
        const said = kind === "hello" ? `${interval_ms} ${name}`.trimEnd() : "0";
        expect(await driver.do(`${kind} ${pid} ${nonce} ${said}`)).toBe(wire_hex);
      }
      expect(controls.roundtrips.length).toBeGreaterThan(4);
    });
  });
}

const sealing = [NODE, BUN, PYTHON].filter(({ doors }) => doors.includes("key"));
for (const language of sealing) {
  describe.skipIf(language.argv === undefined)(`the client for ${language.name}`, () => {
    test("seals and derives as each secure vector says", async () => {
      await using driver = new Driver(language);
      for (const vector of vectors.secure_frame_vectors) {
        const [command, expected] = question(vector);
        expect(await driver.do(command)).toBe(expected);
      }
      expect(vectors.secure_frame_vectors).toHaveLength(5);
    });
  });
}

/** What to ask the driver about a secure vector, and the answer. */
function question(vector: SecureVector): [string, string] {
  const field = (name: string) => String(vector[name]);
  const frame = ["iv_random_hex", "iv_counter", "plaintext_hex"].map(field).join(" ");
  const derive = (key: string, size: number) => `hkdf ${field(key)} ${field("info_hex")} ${size}`;
  switch (vector.kind) {
    case "shared_key_seal":
      return [`seal shared ${field("key_hex")} 0 ${frame}`, field("expected_wire_hex")];
    case "master_key_seal":
      return [
        `seal master ${field("master_key_hex")} ${field("agent_pid")} ${frame}`,
        field("expected_wire_hex"),
      ];
    case "kdf_agent_key":
      return [derive("master_key_hex", 32), field("expected_okm_hex")];
    case "kdf_iv_prefix":
      return [derive("session_salt_hex", 8), field("expected_iv_prefix_hex")];
    default:
      return [derive("agent_key_hex", 32), field("expected_okm_hex")];
  }
}
