#include "metaworld/network_policy.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "io/model_file.hpp"
#include "metaworld/workload.hpp"

namespace fleet::metaworld {
namespace {

/// A network policy together with the weights that it uses.
struct TrainedPolicy {
  ParamVector weights;
  NetworkPolicy network;
};

}  // namespace

std::size_t ObservationEncoder::mark_of(const TaskSpec& task) const {
  if (marked_.empty()) return 0;
  std::string known;
  for (std::size_t i = 0; i < marked_.size(); ++i) {
    const TaskSpec& marked = task_of(marked_[i]);
    if (&marked == &task) return i;
    known += cat(i == 0 ? "" : ", ", marked.name);
  }
  throw ConfigError(cat("the policy is told by number which task is at hand, and knows none for ", task.name,
                        "; it was trained on ", known));
}

void ObservationEncoder::encode(std::span<const float, kObservationSize> observation, std::size_t mark,
                                std::span<float> into) const {
  scaling_.apply(observation, into.first<kObservationSize>());
  const auto marks = into.subspan<kObservationSize>();
  std::ranges::fill(marks, 0.0F);
  if (!marks.empty()) marks[mark] = 1;
}

Policy NetworkPolicy::policy() {
  return {[this](const TaskSpec&, const Observation& observation) { return act(observation); },
          [this](const TaskSpec& task) {
            mark_ = encoder_->mark_of(task);
            runner_->begin();
          }};
}

Action NetworkPolicy::act(const Observation& observation) {
  std::array<float, kObservationSize> single{};
  std::ranges::transform(observation, single.begin(), [](double value) { return static_cast<float>(value); });
  encoder_->encode(single, mark_, input_);
  Action action{};
  runner_->act(input_, action);
  for (float& value : action) value = std::clamp(value, -1.0F, 1.0F);
  return action;
}

Policy load_policy(const std::filesystem::path& path) {
  SavedModel model = read_model(path);
  model.settings.erase("run.device");  // where it was trained
  const auto workload = model.settings.find("workload");
  if (workload == model.settings.end() || workload->second.value != Value(std::string("metaworld"))) {
    throw ConfigError(cat(path.string(), " is no policy of the workload metaworld"));
  }
  SettingsReader settings(model.settings);
  const CloningOptions options = read_cloning_options(settings);
  const std::shared_ptr<const Network> network = make_network(settings, options.shape);
  try {
    const ObservationScaling scaling(model.companions);
    auto encoder = std::make_shared<const ObservationEncoder>(scaling, options.marked());
    auto trained =
        std::make_shared<TrainedPolicy>(model.weights, NetworkPolicy(std::move(encoder), network, options.shape));
    trained->network.use(trained->weights);
    const auto policy = std::make_shared<const Policy>(trained->network.policy());
    return {[trained, policy](const TaskSpec& task, const Observation& seen) { return (*policy)(task, seen); },
            [trained, policy](const TaskSpec& task) { policy->begin(task); }};
  } catch (const ConfigError&) {
    throw;
  } catch (const Error& error) {
    throw Error(cat(path.string(), ": ", error.what()));
  }
}

}  // namespace fleet::metaworld
