// `npm run control`: writes docs/control.md from the rows of the requests. The page is committed,
// and a test fails when it is stale.
import { writeFileSync } from "node:fs";
import { controlPage } from "./reference/control_page.ts";

writeFileSync(new URL("../docs/control.md", import.meta.url), controlPage());
