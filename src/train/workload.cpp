#include "train/workload.hpp"

#include <numeric>

#include "base/error.hpp"

namespace fleet {

AwakeRobot::AwakeRobot(std::unique_ptr<Robot> robot_, const std::shared_ptr<const ParamLayout>& layout,
                       const OptimizerOptions& options)
    : robot(std::move(robot_)), weights(layout), optimizer(options, layout->size()) {
  robot->initialize(weights);
}

std::unique_ptr<Robot> Workload::make_finetune_robot() {
  throw Error("this workload holds no data back that a merged policy could be finetuned on");
}

std::vector<int> Workload::parts_of(int /*robot*/) const {
  std::vector<int> all(static_cast<std::size_t>(test_parts()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<NamedValue> Workload::summarize(std::span<const Score> scores) const {
  std::vector<NamedValue> means;
  const std::vector<std::string> names = metrics();
  for (std::size_t m = 0; m < names.size(); ++m) {
    Score total;
    for (std::size_t i = m; i < scores.size(); i += names.size()) {
      total.sum += scores[i].sum;
      total.samples += scores[i].samples;
    }
    means.push_back({names[m], total.sum / total.samples});
  }
  return means;
}

}  // namespace fleet
