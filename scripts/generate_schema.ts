// `npm run schema`: what is derived from the rows of the configuration keys and committed, because
// others read it: varta.schema.json for editors, docs/configuration.md for people. A test fails
// when one is stale.
import { writeFileSync } from "node:fs";
import { jsonSchemaText } from "../src/config/keys/json_schema.ts";
import { configurationPage } from "./reference/configuration_page.ts";

writeFileSync(new URL("../varta.schema.json", import.meta.url), jsonSchemaText());
writeFileSync(new URL("../docs/configuration.md", import.meta.url), configurationPage());
