#include "command/barrier_weights.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <limits>
#include <optional>

#include "base/error.hpp"
#include "command/foreign_models.hpp"
#include "command/model_arguments.hpp"
#include "io/subprocess.hpp"
#include "merge/weight_matching.hpp"
#include "torch/runtime.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

/// A command that is given a file of weights as its last argument, and ends its output with their loss.
class CommandJudge {
 public:
  explicit CommandJudge(std::string command) : command_(std::move(command)) {}

  [[nodiscard]] double loss(const fs::path& weights) const {
    const Outcome outcome = run({{"/bin/sh", "-c", command_ + " \"$0\"", weights.string()}});
    require(outcome.succeeded, "--judge ", command_, " failed: ", outcome.reason(1));
    const std::size_t end = outcome.said.find_last_not_of(" \t\r\n");
    const std::size_t begin = end == std::string::npos ? 0 : outcome.said.find_last_of(" \t\r\n", end) + 1;
    const std::string word = end == std::string::npos ? "" : outcome.said.substr(begin, end + 1 - begin);
    double value = 0.0;
    const auto [stop, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
    require(failure == std::errc() && stop == word.data() + word.size() && std::isfinite(value), "--judge ", command_,
            ": its last word must be a loss, and is '", word, "'");
    return value;
  }

 private:
  std::string command_;
};

/// The losses along the line from one model to another.
struct Curve {
  std::vector<double> losses;

  /// The worst loss against the mean of those at both ends, or against the straight line between them.
  [[nodiscard]] double barrier(bool above_line) const {
    const double a = losses.front();
    const double b = losses.back();
    double worst = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < losses.size(); ++i) {
      const double t = static_cast<double>(i) / static_cast<double>(losses.size() - 1);
      worst = std::max(worst, losses[i] - (above_line ? (1.0 - t) * a + t * b : (a + b) / 2));
    }
    return worst;
  }
};

class Judged {
 public:
  Judged(const ForeignModels& fleet, const std::vector<WeightFiles>& models, CommandJudge judge, const Comm& alone)
      : fleet_(fleet), models_(models), judge_(std::move(judge)), alone_(alone), scratch_(fs::temp_directory_path()) {}

  Curve between(const ParamVector& a, const ParamVector& b, int points) {
    Curve curve;
    ParamVector mixed = a;
    for (int point = 0; point < points; ++point) {
      const float t = static_cast<float>(point) / static_cast<float>(points - 1);
      for (std::size_t w = 0; w < mixed.flat().size(); ++w) {
        mixed.flat()[w] = (1.0F - t) * a.flat()[w] + t * b.flat()[w];
      }
      const fs::path file = scratch_.path() / cat("point-", point, models_.front().is_folder() ? "" : ".safetensors");
      (void)fleet_.write(mixed, models_.front(), file, alone_);
      curve.losses.push_back(judge_.loss(file));
      fs::remove_all(file);
    }
    return curve;
  }

 private:
  const ForeignModels& fleet_;
  const std::vector<WeightFiles>& models_;
  CommandJudge judge_;
  const Comm& alone_;
  ScratchDirectory scratch_;
};

void print(const std::string& name, const Curve& curve) {
  std::cout << "  " << std::left << std::setw(16) << name << std::right << std::fixed << std::setprecision(4)
            << std::setw(12) << curve.losses.front() << std::setw(12) << curve.losses.back() << std::setw(12)
            << curve.barrier(false) << std::setw(12) << curve.barrier(true) << '\n';
}

}  // namespace

po::options_description judge_options() {
  po::options_description options("Options for safetensors files");
  options.add_options()("symmetry", po::value<std::string>(), "what may be exchanged: POLICY.symmetry.json");
  options.add_options()(
      "judge", po::value<std::string>(),
      "COMMAND that is given a file of weights as its last argument and ends its output with their loss");
  return options;
}

int barrier_of_weights(const Comm& world, const std::vector<fs::path>& paths, const po::variables_map& values) {
  set_threads(1);
  std::vector<WeightFiles> models;
  std::optional<NetworkFile> network;
  const int points = values["points"].as<int>();
  const bool aligned = values["align"].as<std::string>() == "git-rebasin";
  world.together([&] {
    if (paths.size() < 2) throw ConfigError("it takes two models or more");
    if (!values.contains("judge")) throw ConfigError("say how to judge weights: --judge 'python3 judge.py'");
    if (!values.contains("symmetry")) throw ConfigError("say what may be exchanged: --symmetry policy.symmetry.json");
    if (points < 2) throw ConfigError(cat("--points ", points, ": expected at least 2, the models themselves"));
    before_anything([&] {
      network = read_network(values["symmetry"].as<std::string>());
      models = open_weights(paths);
      for (const WeightFiles& model : models) require_same_tensors(models.front(), model);
    });
  });
  const Comm alone = world.split(world.rank());
  std::optional<ForeignModels> fleet;
  world.together([&] {
    if (world.is_root()) fleet.emplace(models, std::move(*network), alone);
  });
  world.together([&] {
    if (!world.is_root()) return;
    const MergeInput input = fleet->input({});
    Judged judged(*fleet, models, CommandJudge(values["judge"].as<std::string>()), alone);
    std::cout
        << "loss of the first model, of the second; the worst between them, against the mean of both, and against "
           "the line\n";
    for (std::size_t i = 0; i < models.size(); ++i) {
      for (std::size_t j = i + 1; j < models.size(); ++j) {
        std::cout << models[i].path().string() << " - " << models[j].path().string() << '\n';
        print("as they are", judged.between(fleet->weights(i), fleet->weights(j), points));
        if (!aligned) continue;
        RandomStream order(input.seed, Purpose::kMatching, i, j);
        const GroupElement element =
            match_weights(fleet->symmetry(), fleet->weights(j), fleet->weights(i), fleet->symmetry().identity(), order);
        print("git-rebasin",
              judged.between(fleet->weights(i), fleet->symmetry().apply(element, fleet->weights(j)), points));
      }
    }
  });
  return 0;
}

}  // namespace fleet
