// `fleet collect DIR`: one file of a sweep's finished cells.
#include <filesystem>
#include <iostream>

#include "command/commands.hpp"
#include "sweep/directory.hpp"
#include "sweep/summary.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

po::options_description options() {
  po::options_description options("Options");
  options.add_options()("output,o", po::value<std::string>(), "file to write; DIR.h5 by default");
  return options;
}

int join_cells(const Call& call) {
  const SweepDirectory directory(without_trailing_slash(call.get("DIR")));
  const std::filesystem::path output =
      call.has("output") ? std::filesystem::path(call.get("output")) : directory.joined_file();
  directory.collect(output);
  print_summary(std::cout, output);
  std::cout << "\nresults: " << output.string() << '\n';
  return 0;
}

}  // namespace

Command command::collect() {
  return {.name = "collect",
          .summary = "join a sweep's finished cells into one HDF5 file",
          .usage = "DIR [-o FILE]",
          .operand = {.name = "DIR", .is = Operand::Is::kDirectory},
          .options = options,
          .run = join_cells};
}

}  // namespace fleet
