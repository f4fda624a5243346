import { runBehaviours } from "./behaviours.ts";

await runBehaviours();
