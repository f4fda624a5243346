import { testRecipe } from "./recipe.ts";

testRecipe({ page: "haproxy", needs: { haproxy: "command -v haproxy" }, slowPath: "/slow", backend: true });
