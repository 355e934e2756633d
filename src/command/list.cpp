// `fleet list`: what a configuration can name.
#include <iomanip>
#include <iostream>

#include "command/commands.hpp"
#include "sweep/methods.hpp"
#include "torch/models.hpp"

namespace fleet {

int command::list(const Arguments& arguments, std::span<const WorldEntry> worlds) {
  if (!parse(arguments, boost::program_options::options_description("Options"), nullptr, "fleet list")) return 0;
  const auto print = [](const char* title, const auto& table) {
    std::cout << title << '\n';
    for (const auto& entry : table)
      std::cout << "  " << std::left << std::setw(14) << entry.name << entry.summary << '\n';
  };
  print("workloads (workload)", worlds);
  print("methods (merge.method)", method_table());
  print("models (model.kind)", model_table());
  return 0;
}

}  // namespace fleet
