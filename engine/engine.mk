# The engine that TypeScript will run on inside the program: `make engine`. Nothing else of the Makefile needs it yet.
# It is translated and compiled once for each version of quickjs-wasi, of the translator and of the compiler's flags.

ENGINE_MODULE   := node_modules/quickjs-wasi/quickjs.wasm
ENGINE_CHECKSUM := c0bd8f296e18cf074969f6401b9ecb72609a1323818ec2b9bf7a8f8d740d1363
# As many as are compiled beside each other.
ENGINE_PARTS    := 0 1 2 3
ENGINE_C        := $(ENGINE_PARTS:%=build/engine/module/quickjs_%.c) $(addprefix build/engine/module/quickjs_,tables.c data.c)
ENGINE_OBJECTS  := $(ENGINE_C:.c=.o)
# Without contraction: one rounding after each operation, on machines with fused multiplication too.
ENGINE_FLAGS    := -std=c11 -D_GNU_SOURCE -O2 -ffp-contract=off -Itools/wasm-to-c -DWASM_TABLE_ROOM=128
TRANSLATOR      := $(wildcard tools/wasm-to-c/*.ts)

.PHONY: engine
engine: $(ENGINE_OBJECTS)

build/engine/module/translated: $(TRANSLATOR) engine/engine.mk $(PACKAGES) | $(RUNTIME)
	mkdir -p $(@D)
	echo 'Translating the engine, once for each version of it …'
	$(RUNTIME) tools/wasm-to-c/main.ts $(ENGINE_MODULE) $(ENGINE_CHECKSUM) build/engine/module/quickjs $(words $(ENGINE_PARTS))
	touch $@

$(ENGINE_C): build/engine/module/translated ;

# Generated: names that are never used and labels that are never reached are all right in it.
build/engine/module/%.o: build/engine/module/%.c tools/wasm-to-c/wasm.h build/compiler-flags | $(COMPILER)
	echo 'Compiling $(@F), a quarter of the engine …'
	$(CC) $(ENGINE_FLAGS) $(CFLAGS) -w -c -o $@ $<
