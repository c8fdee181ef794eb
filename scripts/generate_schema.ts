// Writes varta.schema.json, with which editors complete and check varta.toml: `bun
// scripts/generate_schema.ts`. The file is committed, and a test fails when it is stale.
import { writeFileSync } from "node:fs";
import { jsonSchemaText } from "../src/config/keys/json_schema.ts";

writeFileSync(new URL("../varta.schema.json", import.meta.url), jsonSchemaText());
