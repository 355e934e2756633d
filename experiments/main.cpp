// The program: its commands are in src/command, and these are the worlds that they run.
#include "command/program.hpp"
#include "worlds.hpp"

int main(int argc, char** argv) {
  return fleet::run_program(argc, argv, fleet::world_table());
}
