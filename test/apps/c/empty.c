/* Does nothing: for measuring the cost of starting and ending a process. */
int main(void) {
  return 0;
}
