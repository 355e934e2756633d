// `fleet sample RESULTS.h5`.

#include <iostream>
#include <limits>

#include "base/error.hpp"
#include "command/option.hpp"
#include "data/plain_text.hpp"
#include "io/stored_weights.hpp"
#include "shakespeare/commands.hpp"
#include "shakespeare/text_learner.hpp"
#include "torch/models.hpp"
#include "torch/runtime.hpp"
#include "torch/text_generator.hpp"
#include "train/text_partition.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

constexpr std::int64_t kLongest = 10'000'000;

po::options_description options() {
  constexpr double kLargest = std::numeric_limits<double>::max();
  po::options_description options("Options");
  options.add_options()("cell", po::value<std::string>()->default_value(""),
                        "whose weights, by id; needed where several cells have any");
  options.add_options()("prompt", po::value<std::string>()->default_value("\n", "a new line"), "what to go on from");
  options.add_options()("length,n", long_integer(between(1, kLongest), 500), "characters to print after it");
  options.add_options()("temperature", number(between(0, kLargest), 1.0),
                        "0 for the likeliest characters, 1 for what was learned");
  options.add_options()("seed", long_integer(at_least(0), 0), "of the draws: the same gives the same text");
  return options;
}

int run(const Call& call) {
  if (call.get("prompt").empty()) throw ConfigError("--prompt is empty: give at least one character, or leave it out");
  const StoredWeights stored = read_weights(call.get("RESULTS"), call.get("cell"));
  SettingsReader settings(stored.settings);
  std::string workload;
  settings.read("workload", workload, "What is learned, and from which data.");
  require(workload == "shakespeare", stored.name, " learned ", workload, ", not text");
  set_threads(1);
  const TextModel model = make_text_model(settings);
  const ParamVector weights = stored.arrange(layout_of(*model.network));

  const std::string& given = call.get("prompt");
  const bool blank = given.find_first_not_of(" \n") == std::string::npos;  // as the new line by default
  const std::string prompt = blank ? given : to_ascii(given, "--prompt");
  std::vector<std::uint8_t> codes;
  for (const char c : prompt) codes.push_back(code_of(c));
  RandomStream stream(static_cast<std::uint64_t>(call.get<std::int64_t>("seed")), Purpose::kRollout);
  std::cout << prompt;
  for (const std::uint8_t code :
       continue_text(*model.network, weights, codes, call.get<std::int64_t>("length"),
                     {.temperature = call.get<double>("temperature"), .window = model.window}, stream)) {
    std::cout << kTextVocabulary[code];
  }
  std::cout << '\n';
  return 0;
}

}  // namespace

Command sample_command() {
  return {.name = "sample",
          .summary = "print text from a cell's merged weights: fleet sample RESULTS.h5 --cell ID",
          .usage = "RESULTS.h5 [--cell ID] [--prompt TEXT] [--length N]",
          .operand = {.name = "RESULTS", .is = Operand::Is::kFile, .ending = ".h5"},
          .options = options,
          .run = run,
          .computes = true};
}

}  // namespace fleet
