# The program for another machine, by Debian's cross compilers: `make cross MACHINE=aarch64`, or riscv64. The image is the same on
# all of them; it is made here. Only the tests want it.

ifneq ($(MACHINE),)
CROSS         := build/cross/$(MACHINE)
CROSS_CC      ?= $(MACHINE)-linux-gnu-gcc
CROSS_OBJECTS := $(KEEPER_SOURCES:keeper/%.c=$(CROSS)/keeper/%.o) $(CROSS)/image.o $(ENGINE_SOURCES:engine/%.c=$(CROSS)/engine/%.o) \
                 $(MODULE_C:build/engine/module/%.c=$(CROSS)/module/%.o)

.PHONY: cross
cross: $(CROSS)/bin/crank

$(CROSS)/bin/crank: $(CROSS_OBJECTS)
	mkdir -p $(@D)
	$(CROSS_CC) -O2 -static -no-pie -pthread -s -o $@ $^ -lm
	ln -sfn crank $(@D)/crankctl
	ln -sfn crank $(@D)/runtime

$(CROSS)/keeper/%.o: keeper/%.c $(wildcard keeper/*/*.h)
	mkdir -p $(@D)
	$(CROSS_CC) $(KEEPER_FLAGS) -O2 -pthread -c -o $@ $<
$(CROSS)/engine/%.o: engine/%.c build/engine/build-id.h
	mkdir -p $(@D)
	$(CROSS_CC) $(ENGINE_FLAGS) -O2 -pthread -c -o $@ $<
$(CROSS)/module/%.o: build/engine/module/%.c tools/wasm-to-c/wasm.h
	mkdir -p $(@D)
	$(CROSS_CC) $(ENGINE_FLAGS) -O2 -w -c -o $@ $<
$(CROSS)/image.o: build/engine/commands.image engine/image/image.S
	mkdir -p $(@D)
	$(CROSS_CC) -DIMAGE='"$<"' -c -o $@ engine/image/image.S
endif
