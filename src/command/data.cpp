// `fleet data fetch NAME`: published data sets.
#include <filesystem>
#include <iostream>

#include "base/error.hpp"
#include "command/commands.hpp"
#include "data/fetch.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

po::options_description options() {
  po::options_description options("Options");
  options.add_options()("to", po::value<std::string>(),
                        "directory for the files; $FLEET_DATA/NAME or data/NAME by default");
  return options;
}

std::vector<std::string> dataset_names(std::span<const WorldEntry> /*worlds*/) {
  std::vector<std::string> names;
  for (const PublishedDataset& dataset : published_datasets()) names.push_back(dataset.name);
  return names;
}

int fetch(const Call& call) {
  const std::string& name = call.get("NAME");
  if (call.has("to") && call.get("to").empty()) throw ConfigError("--to: expected a directory");
  fetch_dataset(name, call.has("to") ? std::filesystem::path(call.get("to")) : default_data_directory() / name,
                std::cout);
  return 0;
}

}  // namespace

Command command::data_fetch() {
  return {.name = "data fetch",
          .summary = "fetch a data set: fleet data fetch mnist",
          .usage = "NAME [--to DIR]",
          .operand = {.name = "NAME", .choices = dataset_names},
          .options = options,
          .run = fetch};
}

}  // namespace fleet
