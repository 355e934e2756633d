#include "instruments/personal.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "train/evaluation.hpp"

namespace fleet {
namespace {

/// Takes off the gradient what it says of shared tensors: Adam leaves weights without a gradient where they are.
class Freeze final : public GradientTerm {
 public:
  explicit Freeze(const SharedPart& part) : part_(part) {}
  void add_to(const ParamVector& /*at*/, ParamVector& gradient) const override {
    for (std::size_t t = 0; t < gradient.layout().tensors().size(); ++t) {
      if (part_.is_shared(t)) std::ranges::fill(gradient.tensor(t), 0.0F);
    }
  }

 private:
  const SharedPart& part_;
};

/// What each of this rank's robots goes on with.
std::vector<ParamVector> policies_after(const RoundView& view) {
  std::vector<ParamVector> policies;
  for (std::size_t i = 0; i < view.robots.rows.size(); ++i) {
    policies.push_back(view.shared != nullptr ? view.after_merge(i) : view.outcome->merged);
  }
  return policies;
}

}  // namespace

std::vector<Measurement> personal_curve(Workload& workload, const RoundView& view, int steps, int every,
                                        const Comm& comm) {
  const std::vector<ParamVector> starts = policies_after(view);
  std::vector<ParamVector> policies = starts;
  std::vector<int> robots;
  for (const MergeRow& row : view.robots.rows) robots.push_back(row.robot);
  std::optional<Freeze> freeze;
  if (view.shared != nullptr) freeze.emplace(*view.shared);
  std::vector<Measurement> measured;
  for (int done = 0;;) {
    const TestedFleet tested = test_fleet(
        workload, robots, [&](std::size_t i, ParamVector&) -> const ParamVector& { return policies[i]; }, nullptr,
        comm);
    const auto note = [&](const char* subject, int robot, const std::vector<NamedValue>& values) {
      for (const NamedValue& value : values) {
        measured.push_back({.instrument = "personal",
                            .subject = subject,
                            .split = "test",
                            .metric = value.name,
                            .robot = robot,
                            .at = static_cast<double>(done),
                            .value = value.value});
      }
    };
    note("fleet", -1, tested.together);
    for (std::size_t robot = 0; robot < tested.each.size(); ++robot) {
      note("robot", static_cast<int>(robot), tested.each[robot]);
    }
    if (done == steps) return measured;
    done = std::min(done + every, steps);
    // From the start each time: so the course does not depend on how often it is looked at.
    const LocalSteps run{.steps = done, .total = steps, .learning_rate = workload.optimizer().learning_rate};
    comm.together([&] {
      for (std::size_t i = 0; i < policies.size(); ++i) {
        if (comm.stop_requested()) throw Interrupted();
        const MergeRow& row = view.robots.rows[i];
        if (row.samples == 0.0) continue;
        policies[i] = row.data->take_steps(starts[i], run, 0, freeze ? &*freeze : nullptr);
        // Statistics of a normalisation have no gradient that could be taken off.
        if (view.shared != nullptr) view.shared->put(view.shared->part_of(starts[i]), policies[i]);
      }
    });
  }
}

}  // namespace fleet
