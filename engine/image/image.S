/* The image in the program, where it can be mapped from: on pages of its own. */
  .section .image, "a", @progbits
  .balign 4096
  .globl image_start
  .globl image_end
image_start:
  .incbin IMAGE
image_end:
  .section .note.GNU-stack, "", @progbits
