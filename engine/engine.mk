# The engine that TypeScript runs on inside bin/crank.
#
#   quickjs.wasm ── translated ──▶ C ── compiled ──▶ objects              once for each version of quickjs-wasi (30 s)
#   src/*.ts ── bundled ── build/engine/build ──▶ bytecode ──▶ image      at each change of TypeScript (3 s)

ENGINE_MODULE   := node_modules/quickjs-wasi/quickjs.wasm
ENGINE_CHECKSUM := c0bd8f296e18cf074969f6401b9ecb72609a1323818ec2b9bf7a8f8d740d1363
# As many as are compiled beside each other.
ENGINE_PARTS    := 0 1 2 3
MODULE_C        := $(ENGINE_PARTS:%=build/engine/module/quickjs_%.c) build/engine/module/quickjs_tables.c
MODULE_OBJECTS  := $(MODULE_C:.c=.o)
# Parts of functions are in it, so every object depends on it.
MODULE_HEADER   := build/engine/module/quickjs.h
# The memory that a new engine begins with: the image has it already.
MODULE_DATA     := build/engine/module/quickjs_data.o
TRANSLATOR      := $(wildcard tools/wasm-to-c/*.ts)

# Without contraction: one rounding after each operation, on machines with fused multiplication too.
ENGINE_FLAGS    := -std=c11 -ffp-contract=off -Iengine -Itools/wasm-to-c -Ibuild/engine -Ibuild/engine/module -DWASM_TABLE_ROOM=1
ENGINE_SOURCES  := $(filter-out engine/image/build.c engine/image/fresh.c,$(wildcard engine/*.c engine/*/*.c))
ENGINE_OBJECTS  := $(ENGINE_SOURCES:engine/%.c=build/engine/%.o)
BUILDER_OBJECTS := build/engine/image/build.o build/engine/image/fresh.o
ENGINE_STRICT   := $(patsubst engine/%.c,build/engine/strict/%.o,$(wildcard engine/*.c engine/*/*.c))

# What bin/crank is linked of besides the keeper.
ENGINE_LINKED   := build/engine/commands.image.o $(ENGINE_OBJECTS) $(MODULE_OBJECTS)

# What only the tests of the engine need.
.PHONY: engine
engine: build/engine/checked build/engine/build-sanitized build/crank-symbols

# The module -----------------------------------------------------------------------------------------------------------

build/engine/module/translated: $(TRANSLATOR) engine/engine.mk $(PACKAGES) | $(BUN)
	mkdir -p $(@D)
	$(BUN) tools/wasm-to-c/main.ts $(ENGINE_MODULE) $(ENGINE_CHECKSUM) build/engine/module/quickjs $(words $(ENGINE_PARTS))
	touch $@

$(MODULE_C) $(MODULE_DATA:.o=.c) $(MODULE_HEADER): build/engine/module/translated ;

# Four of them, about 7 s each. Generated: names that are never used and labels that are never reached are all right in it.
COMPILING := Compiling the JavaScript engine, once for each version of it: this takes half a minute.
build/engine/module/%.o: build/engine/module/%.c $(MODULE_HEADER) tools/wasm-to-c/wasm.h build/module-flags | $(COMPILER)
	$(if $(filter %_0.o,$@),echo '$(COMPILING)')
	$(CC) $(ENGINE_FLAGS) -O2 -w -c -o $@ $<

# The host -------------------------------------------------------------------------------------------------------------

# What an image goes with: it holds places in the module's memory and numbers of host functions.
build/engine/build-id.h: build/engine/module/translated tools/wasm-to-c/wasm.h $(wildcard engine/*.[ch] engine/*/*.[ch])
	cat build/engine/module/*.c build/engine/module/*.h $(filter %.c %.h,$^) | sha256sum | \
	  sed 's/^\([0-9a-f]*\).*/#define ENGINE_BUILD_ID "\1"/' > $@

build/engine/%.o: engine/%.c build/engine/build-id.h build/compiler-flags | $(COMPILER)
	mkdir -p $(@D)
	$(CC) $(ENGINE_FLAGS) $(CFLAGS) -pthread -c -o $@ $<

build/engine/build: $(BUILDER_OBJECTS) $(ENGINE_OBJECTS) $(MODULE_OBJECTS) $(MODULE_DATA) engine/image/no-image.S
	$(CC) $(CFLAGS) $(LDFLAGS) -static -no-pie -pthread -o $@ $^ -lm

build/engine/checked: build/engine/build
	build/engine/build check
	touch $@

# The same with the sanitizers, which check the hand-written code; the translated module is not instrumented.
build/engine/sanitized/%.o: engine/%.c build/engine/build-id.h build/compiler-flags | $(COMPILER)
	mkdir -p $(@D)
	$(CC) $(ENGINE_FLAGS) $(SANITIZERS) -pthread -c -o $@ $<
build/engine/build-sanitized: $(patsubst build/engine/%,build/engine/sanitized/%,$(BUILDER_OBJECTS) $(ENGINE_OBJECTS)) $(MODULE_OBJECTS) $(MODULE_DATA) engine/image/no-image.S
	$(CC) $(SANITIZERS) $(LDFLAGS) -no-pie -pthread -o $@ $^ -lm

# The image of a bundle: build/engine/NAME.image.o from build/engine/NAME.mjs.
build/engine/%.bytecode: build/engine/%.mjs build/engine/checked
	build/engine/build compile $< $@
build/engine/%.image: build/engine/%.bytecode build/engine/build
	build/engine/build image $< $@
build/engine/%.image.o: build/engine/%.image engine/image/image.S
	$(CC) -DIMAGE='"$<"' -c -o $@ engine/image/image.S

# All commands.
build/engine/commands.mjs: tools/bundle.ts $(TYPESCRIPT) $(PACKAGES) | $(BUN)
	mkdir -p $(@D)
	$(BUN) tools/bundle.ts $@

.PRECIOUS: build/engine/%.bytecode build/engine/%.image

# Compiled only to be warned about.
.PHONY: check-engine
check-engine: $(ENGINE_STRICT)
build/engine/strict/%.o: engine/%.c build/engine/build-id.h | $(COMPILER)
	mkdir -p $(@D)
	$(CC) $(ENGINE_FLAGS) -O2 $(WARNINGS) -c -o $@ $<
