#include "lqg/lqg.hpp"

#include "lqg/workload.hpp"
#include "train/shared_keys.hpp"

namespace fleet {
namespace {

/// Nothing to load: trajectories are simulated where their robot lives.
class Lqg final : public World {
 public:
  CellFacts describe(SettingsReader& settings) override {
    const LqgOptions options = read_lqg_options(settings);
    std::string device = "cpu";
    settings.read("run.device", device, about::kDevice);
    if (device != "cpu") {
      reject("run.device", settings.resolved().at("run.device"), "linear policies compute on \"cpu\" alone");
    }
    const SymmetrySpec symmetry = policy_symmetry(options.policy, options.system);
    return {.parameters = static_cast<std::int64_t>(symmetry.layout()->size()),
            .layout = symmetry.layout(),
            .train_samples = std::int64_t{options.robots} * options.trajectories * options.horizon,
            .symmetry = GroupKind::kGeneralLinear,
            .offers = {Question::kLossGradient, Question::kHeldOutScore, Question::kHeldOutLoss},
            .robot_bytes = static_cast<std::int64_t>(sizeof(double)) * options.trajectories * options.horizon *
                           (options.system.inputs() + options.system.observations())};
  }
  void load(std::span<const Settings* const> /*cells*/, const Comm& /*run*/) override {}
  std::unique_ptr<Workload> make(const Settings& cell) override {
    SettingsReader settings(cell);
    return make_lqg_workload(read_lqg_options(settings));
  }
};

constexpr std::string_view kStart = R"(
[data]
trajectories = 5
horizon = 50

[fleet]
robots = 5
partition = "per-task"

[policy]
kind = "dynamic"

[system]
observations = 10

[train]
epochs = 20

[merge]
every_epochs = 0

# Every combination of these is a cell.
[sweep.grid]
merge.method = ["average", "git-rebasin", "gl"]
seed = [0, 1]
)";

}  // namespace

WorldEntry lqg_world() {
  return {.name = "lqg",
          .summary = "linear policies that imitate optimal controllers (Appendix G)",
          .make = []() -> std::unique_ptr<World> { return std::make_unique<Lqg>(); },
          .start = kStart};
}

}  // namespace fleet
