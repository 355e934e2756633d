#include "command/weight_options.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.hpp"
#include "command/command_line.hpp"

namespace fleet {

namespace po = boost::program_options;

namespace {

double number_of(const std::string& text, const std::string& option) {
  double number = 0.0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) {
    throw ConfigError(cat(option, ' ', text, ": expected a number"));
  }
  return number;
}

}  // namespace

po::options_description weight_options() {
  po::options_description options("Options for safetensors files");
  options.add_options()("symmetry", po::value<std::string>(),
                        "what may be exchanged (of git-rebasin): POLICY.symmetry.json");
  options.add_options()("align-only", po::bool_switch(),
                        "write the aligned models, in the folder of -o, instead of their mean");
  options.add_options()("weights", po::value<std::string>(),
                        "W1,W2,...: how much each model counts (default: equally)");
  options.add_options()(
      "weight", po::value<Arguments>()->composing(),
      "T or PATTERN=T (of interpolate): share of the second model, by names of tensors; may be repeated");
  options.add_options()("base", po::value<std::string>(),
                        "the model that all come from (of task-arithmetic, ties, dare)");
  options.add_options()("scale", po::value<std::string>(), "of the sum of changes (default: 1)");
  options.add_options()("density", po::value<std::string>(),
                        "share of changes that is kept (default: ties 0.2, dare 0.1)");
  options.add_options()("fisher", po::value<Arguments>()->composing(), "a model's diagonal, once for each (of fisher)");
  options.add_options()("seed", po::value<std::string>(), "of what is drawn at random");
  return options;
}

std::vector<std::string_view> options_of(Arithmetic method) {
  switch (method) {
    case Arithmetic::kAverage:
      return {"weights"};
    case Arithmetic::kInterpolate:
      return {"weight"};
    case Arithmetic::kTask:
      return {"weights", "base", "scale"};
    case Arithmetic::kTies:
      return {"weights", "base", "scale", "density"};
    case Arithmetic::kDare:
      return {"weights", "base", "scale", "density", "seed"};
    case Arithmetic::kFisher:
      return {"weights", "fisher"};
  }
  return {};
}

double read_number(const po::variables_map& values, const char* option, double otherwise, double low, double high) {
  if (!values.contains(option)) return otherwise;
  const auto text = values[option].as<std::string>();
  const double number = number_of(text, cat("--", option));
  if (!(number >= low && number <= high)) {
    throw ConfigError(cat("--", option, ' ', text, ": expected a number from ", low, " to ", high));
  }
  return number;
}

std::vector<double> read_weights(const po::variables_map& values, std::size_t models, bool may_subtract) {
  std::vector<double> weights;
  if (!values.contains("weights")) return weights;
  const auto text = values["weights"].as<std::string>();
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    weights.push_back(number_of(text.substr(begin, end - begin), "--weights"));
    begin = end + 1;
  }
  double sum = 0.0;
  for (const double weight : weights) {
    if (weight < 0.0 && !may_subtract) throw ConfigError(cat("--weights ", text, ": none may be below 0"));
    sum += weight;
  }
  if (weights.size() != models) {
    throw ConfigError(cat("--weights ", text, ": these are ", weights.size(), " for ", models, " models"));
  }
  if (sum == 0.0) throw ConfigError(cat("--weights ", text, ": their sum must not be 0"));
  return weights;
}

std::vector<std::pair<std::string, double>> read_shares(const po::variables_map& values) {
  std::vector<std::pair<std::string, double>> shares;
  if (!values.contains("weight")) return {{"*", 0.5}};
  for (const std::string& text : values["weight"].as<Arguments>()) {
    const std::size_t sign = text.rfind('=');
    const std::string pattern = sign == std::string::npos ? "*" : text.substr(0, sign);
    shares.emplace_back(pattern, number_of(sign == std::string::npos ? text : text.substr(sign + 1), "--weight"));
  }
  return shares;
}

void refuse_options(const po::variables_map& values, const std::string& what,
                    const std::vector<std::string_view>& of_use) {
  for (const char* option :
       {"weight", "weights", "base", "fisher", "density", "scale", "seed", "symmetry", "align-only"}) {
    if (!values.contains(option) || std::ranges::find(of_use, std::string_view(option)) != of_use.end()) continue;
    if (std::string_view(option) == "align-only" && !values["align-only"].as<bool>()) continue;
    throw ConfigError(cat("--", option, " is of no use to ", what));
  }
}

}  // namespace fleet
