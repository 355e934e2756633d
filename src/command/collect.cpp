// `fleet collect DIR`: one file of a sweep's finished cells.
#include <filesystem>
#include <iostream>

#include "command/commands.hpp"
#include "sweep/directory.hpp"
#include "sweep/summary.hpp"

namespace fleet {

namespace po = boost::program_options;

int command::collect(const Arguments& arguments, std::span<const WorldEntry> /*worlds*/) {
  po::options_description options("Options");
  options.add_options()("output,o", po::value<std::string>(), "file to write; DIR.h5 by default");
  const auto values = parse(arguments, options, "DIR", "fleet collect DIR [-o FILE]");
  if (!values) return 0;
  const std::string path = without_trailing_slash((*values)["DIR"].as<std::string>());
  const SweepDirectory directory(path);
  const std::filesystem::path output = values->contains("output")
                                           ? std::filesystem::path((*values)["output"].as<std::string>())
                                           : directory.joined_file();
  directory.collect(output);
  print_summary(std::cout, output);
  std::cout << "\nresults: " << output.string() << '\n';
  return 0;
}

}  // namespace fleet
