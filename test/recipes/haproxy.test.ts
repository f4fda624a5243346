// docs/how-to/recipes/haproxy.md, as written, under load.
import { testRecipe } from "./recipe.ts";

testRecipe({ page: "haproxy", needs: { haproxy: "command -v haproxy" }, slowPath: "/slow", backend: true });
