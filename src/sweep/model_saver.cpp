#include "sweep/model_saver.hpp"

#include <numeric>

#include "base/error.hpp"
#include "io/model_file.hpp"

namespace fleet {

std::vector<Measurement> ModelSaver::observe(const RoundView& view, const Comm& comm) {
  const bool every = which_ == SavedModels::kRounds;
  if (!view.last && !view.trained_last && !every) return {};
  std::vector<double> samples;
  for (const MergeRow& row : view.robots.rows) samples.push_back(row.participates ? row.samples : 0.0);
  samples = comm.all_gather(samples);
  const double merged_samples = std::accumulate(samples.begin(), samples.end(), 0.0);
  const auto save = [&](const std::string& name, int robot, double count, const ParamVector& weights) {
    write_model(directory_ / (name + ".h5"),
                {.settings = settings_,
                 .data = data_,
                 .robot = robot,
                 .round = view.round,
                 .epoch = view.epoch,
                 .samples = static_cast<std::int64_t>(count),
                 .companions = companions_,
                 .symmetry = *view.robots.symmetry,
                 .weights = weights},
                provenance_);
  };
  comm.together([&] {
    for (const MergeRow& row : view.robots.rows) {
      const bool wanted = view.trained_last && which_ == SavedModels::kAll && !joint_;
      if (wanted) save(cat("robot-", row.robot), row.robot, row.samples, *row.weights);
    }
    if (view.shared != nullptr && view.last) {
      for (std::size_t i = 0; i < view.robots.rows.size(); ++i) {
        const MergeRow& row = view.robots.rows[i];
        save(cat("personal-", row.robot), row.robot, row.samples, view.after_merge(i));
      }
    }
    if (!comm.is_root() || view.outcome == nullptr) return;
    if (every) save(cat("merged-", view.round), kMergedPolicy, merged_samples, view.outcome->merged);
    if (view.last) save("merged", kMergedPolicy, merged_samples, view.outcome->merged);
  });
  return {};
}

}  // namespace fleet
