// `fleet sample RESULTS.h5`.

#include <cmath>
#include <iostream>

#include "base/error.hpp"
#include "io/plain_text.hpp"
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

/// What the command line asks for.
struct Request {
  std::string file;
  std::string cell;
  std::string prompt = "\n";
  std::int64_t length = 500;
  double temperature = 1.0;
  std::uint64_t seed = 0;
};

std::optional<Request> read_request(const Arguments& arguments) {
  Request request;
  po::options_description options("Options");
  options.add_options()("cell", po::value(&request.cell), "whose weights, by id; needed where several cells have any")(
      "prompt", po::value(&request.prompt), "what to go on from; a new line by default")(
      "length,n", po::value(&request.length), "characters to print after it (500)")(
      "temperature", po::value(&request.temperature),
      "0 for the likeliest characters, 1 (default) for what was learned")(
      "seed", po::value(&request.seed), "of the draws (0): the same gives the same text");
  const auto values =
      parse(arguments, options, "RESULTS", "fleet sample RESULTS.h5 [--cell ID] [--prompt TEXT] [--length N]");
  if (!values) return std::nullopt;
  request.file = (*values)["RESULTS"].as<std::string>();
  if (!std::isfinite(request.temperature) || request.temperature < 0.0)
    throw ConfigError(cat("--temperature ", request.temperature, ": expected a finite number >= 0"));
  if (request.length < 1 || request.length > kLongest)
    throw ConfigError(cat("--length ", request.length, ": expected 1 to ", kLongest));
  if (request.prompt.empty()) throw ConfigError("--prompt is empty: give at least one character, or leave it out");
  return request;
}

}  // namespace

int sample(const Arguments& arguments, std::span<const WorldEntry> /*worlds*/) {
  const std::optional<Request> request = read_request(arguments);
  if (!request) return 0;
  const StoredWeights stored = read_weights(request->file, request->cell);
  SettingsReader settings(stored.settings);
  std::string workload;
  settings.read("workload", workload, "What is learned, and from which data.");
  require(workload == "shakespeare", stored.name, " learned ", workload, ", not text");
  set_threads(1);
  const TextModel model = make_text_model(settings);
  const ParamVector weights = stored.arrange(layout_of(*model.network));

  const bool blank = request->prompt.find_first_not_of(" \n") == std::string::npos;  // as the new line by default
  const std::string prompt = blank ? request->prompt : to_ascii(request->prompt, "--prompt");
  std::vector<std::uint8_t> codes;
  for (const char c : prompt) codes.push_back(code_of(c));
  RandomStream stream(request->seed, Purpose::kRollout);
  std::cout << prompt;
  for (const std::uint8_t code : continue_text(*model.network, weights, codes, request->length,
                                               {.temperature = request->temperature, .window = model.window}, stream)) {
    std::cout << kTextVocabulary[code];
  }
  std::cout << '\n';
  return 0;
}

}  // namespace fleet
