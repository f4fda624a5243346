/* For programs that make images and hold none. */
  .section .image, "a", @progbits
  .globl image_start
  .globl image_end
image_start:
image_end:
  .section .note.GNU-stack, "", @progbits
