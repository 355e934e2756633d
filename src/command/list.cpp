// `fleet list`: what a configuration can name.
#include <iomanip>
#include <iostream>

#include "command/commands.hpp"
#include "sweep/methods.hpp"
#include "torch/models.hpp"

namespace fleet {
namespace {

void print(const char* title, const auto& table) {
  std::cout << title << '\n';
  for (const auto& entry : table) {
    std::cout << "  " << std::left << std::setw(22) << entry.name << entry.summary << '\n';
  }
}

int print_tables(const Call& call) {
  print("workloads (workload)", call.worlds);
  print("methods (merge.method)", method_table());
  print("models (model.kind)", model_table());
  return 0;
}

}  // namespace

Command command::list() {
  return {.name = "list", .summary = "list workloads, merging methods and models", .usage = "", .run = print_tables};
}

}  // namespace fleet
