import { testRecipe } from "./recipe.ts";

testRecipe({ page: "lighttpd", needs: { lighttpd: "command -v lighttpd" } });
