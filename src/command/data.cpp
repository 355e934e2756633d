// `fleet data fetch NAME`: published data sets.
#include <filesystem>
#include <iostream>

#include "base/error.hpp"
#include "command/commands.hpp"
#include "io/fetch.hpp"

namespace fleet {

namespace po = boost::program_options;

int command::data_fetch(const Arguments& arguments, std::span<const WorldEntry> /*worlds*/) {
  po::options_description options("Options");
  options.add_options()("to", po::value<std::string>(),
                        "directory for the files; $FLEET_DATA/NAME or data/NAME by default");
  const auto values = parse(arguments, options, "NAME", "fleet data fetch NAME [--to DIR]");
  if (!values) return 0;
  const std::string name = (*values)["NAME"].as<std::string>();
  if (values->contains("to") && (*values)["to"].as<std::string>().empty())
    throw ConfigError("--to: expected a directory");
  fetch_dataset(name,
                values->contains("to") ? std::filesystem::path((*values)["to"].as<std::string>())
                                       : default_data_directory() / name,
                std::cout);
  return 0;
}

}  // namespace fleet
