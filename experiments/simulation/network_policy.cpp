#include "simulation/network_policy.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "io/model_file.hpp"
#include "simulation/offline.hpp"
#include "simulation/online.hpp"
#include "simulation/sight.hpp"
#include "simulation/workload.hpp"

namespace fleet::simulation {
namespace {

/// What a saved model's settings say of how it acts.
struct Acting {
  NetworkShape shape;
  ObservationScaling scaling;
  std::vector<int> marked;
  std::vector<int> tasks;
};

Acting cloned_acting(SettingsReader& settings, const std::shared_ptr<const Suite>& suite, const SavedModel& model) {
  const CloningOptions options = read_cloning_options(settings, suite);
  const auto mark = model.companions.find(kSight);
  require((mark == model.companions.end() ? std::vector<float>{} : mark->second) == sight_mark(*suite),
          "it was trained on what another encoder made of pictures than data.encoder is now");
  return {options.shape, ObservationScaling(model.companions, suite->common_sizes(options.tasks).observation),
          options.marked(), options.tasks};
}

/// Policies that learn online see observations as they are.
Acting online_acting(SettingsReader& settings, const std::shared_ptr<const Suite>& suite) {
  const PlayOptions options = read_play_options(settings, suite);
  return {options.shape, ObservationScaling(suite->common_sizes(options.tasks).observation), {}, options.tasks};
}

/// A network that acts, together with the weights that it uses; trained on `tasks`.
template <class Acting>
SavedPolicy own_policy(const std::shared_ptr<const Suite>& suite, const std::vector<int>& tasks,
                       const ParamVector& weights, Acting acting) {
  struct Trained {
    ParamVector weights;
    Acting acting;
  };
  const auto trained = std::make_shared<Trained>(weights, std::move(acting));
  trained->acting.use(trained->weights);
  const auto policy = std::make_shared<const Policy>(trained->acting.policy());
  return {.suite = suite,
          .policy = {[trained, policy](Environment& environment, std::span<float> action) {
                       return (*policy)(environment, action);
                     },
                     [policy](const Environment& environment) { policy->begin(environment); },
                     [policy](const StepResult& step) { policy->hear(step); }},
          .only = suite->facts().sizes == Sizes{} ? tasks : std::vector<int>{}};
}

SavedPolicy decision_policy(SettingsReader& settings, const std::shared_ptr<const Suite>& suite,
                            const SavedModel& model) {
  const OfflineOptions options = read_offline_options(settings, suite);
  std::vector<Sizes> sizes;
  for (const int task : options.tasks) sizes.push_back(suite->sizes(task));
  return own_policy(
      suite, options.tasks, model.weights,
      DecisionPolicy(options, Conditions::saved(model.companions, sizes), make_network(settings, options.shape)));
}

}  // namespace

std::size_t ObservationEncoder::mark_of(int task) const {
  if (marked_.empty()) return 0;
  std::string known;
  for (std::size_t i = 0; i < marked_.size(); ++i) {
    if (marked_[i] == task) return i;
    known += cat(i == 0 ? "" : ", ", suite_->task(marked_[i]).name);
  }
  throw ConfigError(cat("the policy is told by number which task is at hand, and knows none for ",
                        suite_->task(task).name, "; it was trained on ", known));
}

void ObservationEncoder::encode(std::span<const float> observation, std::size_t mark, std::span<float> into) const {
  scaling_.apply(observation, into);
  const auto marks = into.subspan(observation.size());
  std::ranges::fill(marks, 0.0F);
  if (!marks.empty()) marks[mark] = 1;
}

Policy NetworkPolicy::policy() {
  return {[this](Environment& environment, std::span<float> action) {
            act(environment.observation(), action);
            return true;
          },
          [this](const Environment& environment) {
            mark_ = encoder_->mark_of(environment.task());
            chooses_ = encoder_->suite().task(environment.task()).chooses;
            runner_->begin();
          }};
}

void NetworkPolicy::act(std::span<const double> observation, std::span<float> action) {
  std::ranges::transform(observation, observation_.begin(), [](double value) { return static_cast<float>(value); });
  encoder_->encode(observation_, mark_, input_);
  runner_->act(input_, action);
  if (chooses_) return;  // only which is the largest counts
  for (float& value : action) value = std::clamp(value, -1.0F, 1.0F);
}

SavedPolicy load_policy(const std::filesystem::path& path, const SuiteEntry& world, const std::filesystem::path& files,
                        const std::filesystem::path& encoder) {
  SavedModel model = read_model(path);
  if (!encoder.empty()) model.settings[kEncoderOption.key].value = encoder.string();
  model.settings.erase("run.device");  // where it was trained
  const auto workload = model.settings.find("workload");
  const auto is_of = [&](std::string_view name) {
    return workload != model.settings.end() && workload->second.value == Value(std::string(name));
  };
  if (!is_of(world.name) && !is_of(offline_name(world))) {
    throw ConfigError(cat(path.string(), " is no policy of the workload ", world.name));
  }
  SettingsReader settings(model.settings);
  const std::shared_ptr<const Suite> suite = world.make(settings, files);
  try {
    if (is_of(offline_name(world))) return decision_policy(settings, suite, model);
    const Acting acting = world.online ? online_acting(settings, suite) : cloned_acting(settings, suite, model);
    const std::shared_ptr<const Network> network = make_network(settings, acting.shape);
    auto observer = std::make_shared<const ObservationEncoder>(suite, acting.scaling, acting.marked);
    return own_policy(suite, acting.tasks, model.weights, NetworkPolicy(std::move(observer), network, acting.shape));
  } catch (const ConfigError&) {
    throw;
  } catch (const Error& error) {
    throw Error(cat(path.string(), ": ", error.what()));
  }
}

}  // namespace fleet::simulation
