// docs/how-to/recipes/any-program.md, as written, under load.
import { testRecipe } from "./recipe.ts";

testRecipe({ page: "any-program", needs: { haproxy: "command -v haproxy", python3: "command -v python3" } });
