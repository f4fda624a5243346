// docs/how-to/recipes/lighttpd.md, as written, under load.
import { testRecipe } from "./recipe.ts";

testRecipe({ page: "lighttpd", needs: { lighttpd: "command -v lighttpd" } });
