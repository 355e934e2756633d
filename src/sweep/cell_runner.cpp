#include "sweep/cell_runner.hpp"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <type_traits>

#include "base/error.hpp"
#include "base/process.hpp"
#include "instruments/instruments.hpp"
#include "io/atomic_file.hpp"
#include "merge/rounds_after.hpp"
#include "sweep/cell_checkpoint.hpp"
#include "sweep/methods.hpp"
#include "sweep/model_saver.hpp"

namespace fleet {
namespace {

/// What each robot of a cell has for each group of its symmetry (permutations or matrices), on every rank. `own` is of
/// this rank's `robots`, or empty; `shape` is one robot's. Collective.
template <class Part>
std::map<int, std::vector<Part>> gather_parts(const std::vector<int>& robots, const std::vector<std::vector<Part>>& own,
                                              const std::vector<Part>& shape, const Comm& comm) {
  std::vector<double> flat;
  for (std::size_t i = 0; i < own.size(); ++i) {
    flat.push_back(robots[i]);
    for (const Part& part : own[i]) flat.insert(flat.end(), part.data(), part.data() + part.size());
  }
  const std::vector<double> all = comm.all_gather(flat);
  std::map<int, std::vector<Part>> gathered;
  for (const double* next = all.data(); next != all.data() + all.size();) {
    const int robot = static_cast<int>(*next++);
    for (Part& part : gathered.emplace(robot, shape).first->second) {
      using Scalar = std::remove_reference_t<decltype(*part.data())>;
      std::transform(next, next + part.size(), part.data(), [](double value) { return static_cast<Scalar>(value); });
      next += part.size();
    }
  }
  return gathered;
}

}  // namespace

/// The file that says who runs a cell and how far it is, for the life of the object; one that outlives a killed process
/// tells which that was.
class CellRunner::RunningMarker {
 public:
  RunningMarker(const Comm& group, std::filesystem::path file) : is_root_(group.is_root()), file_(std::move(file)) {
    write("starting");
  }
  RunningMarker(const RunningMarker&) = delete;
  RunningMarker& operator=(const RunningMarker&) = delete;
  ~RunningMarker() {
    std::error_code ignored;
    if (is_root_) std::filesystem::remove(file_, ignored);
  }

  /// A disk that cannot take it is no reason to stop.
  void write(const std::string& place) const {
    if (!is_root_) return;
    try {
      replace_file(file_, cat(host_name(), ", process ", ::getpid(), ", ", place, ", ", utc_time()));
    } catch (const Error&) {
    }
  }

 private:
  bool is_root_;
  std::filesystem::path file_;
};

std::string CellRunner::run(World& world) {
  const RunningMarker marker(group_, directory_.running_file(cell_.id));
  const std::string version =
      cat(" of fleet ", provenance_.at("fleet_version"), " (", provenance_.at("git_revision"), ")");
  CellCheckpoint checkpoints(directory_.checkpoint_file(cell_.id), cat("cell ", cell_.id, version), cell_.label(),
                             std::cerr);
  CellCheckpoint training(directory_.training_file(cell_.training),
                          cat("training ", cell_.training, cell_.facts.gpu ? " on GPUs" : "", version), cell_.label(),
                          std::cerr, CellCheckpoint::Kind::kTraining);
  CellRecord record{.id = cell_.id,
                    .columns = cell_.columns(),
                    .axes = axis_keys(sweep_.axes),
                    .settings = cell_.settings.whole(),
                    .ranks = group_.size()};
  const std::string started = utc_time();
  std::unique_ptr<Workload> workload;
  CellResult result;
  try {
    result = train(world, workload, record, marker,
                   {.when = sweep_.run.checkpoint,
                    .store = &checkpoints,
                    .training = cell_.training.empty() ? nullptr : &training});
    if (sweep_.run.save_weights) keep_weights(result, *workload, record);
  } catch (const Error& error) {
    record.reason = error.what();
  }
  record.peak_memory_mib = group_.max(peak_memory_mib());
  for (int i = 0; group_.is_root() && workload != nullptr && i < cell_.fleet.robots; ++i) {
    record.histograms.push_back(workload->histogram(i));
  }
  group_.together([&] {
    if (!group_.is_root()) return;
    write(record, started);
    const bool got_on = record.reason.empty() || !record.rounds.empty();
    if (got_on) checkpoints.discard();  // else it may be the checkpoint that could not be read
  });
  return record.reason;
}

void CellRunner::write(const CellRecord& record, const std::string& started) const {
  Provenance provenance = provenance_;
  provenance["started"] = started;
  provenance["finished"] = utc_time();
  const bool failed = !record.reason.empty();
  write_cell_file(failed ? directory_.failed_file(cell_.id) : directory_.done_file(cell_.id), sweep_.name,
                  sweep_.config, record, provenance);
  std::error_code ignored;  // what an earlier run left of this cell
  std::filesystem::remove(failed ? directory_.done_file(cell_.id) : directory_.failed_file(cell_.id), ignored);
}

std::vector<std::unique_ptr<RoundObserver>> CellRunner::make_observers(Workload& workload, Regime regime) const {
  std::vector<std::unique_ptr<RoundObserver>> observers;
  InstrumentOptions instruments = cell_.instruments;
  if (regime == Regime::kJoint) instruments.personal_steps = 0;  // its robot is no member of the fleet
  if (instruments.any()) observers.push_back(std::make_unique<Instruments>(instruments, workload));
  if (sweep_.run.save_models != SavedModels::kNone) {
    observers.push_back(std::make_unique<ModelSaver>(sweep_.run.save_models, directory_.models(cell_.id),
                                                     cell_.settings.whole(), cell_.facts.data, workload.companions(),
                                                     provenance_, regime == Regime::kJoint));
  }
  return observers;
}

CellResult CellRunner::train(World& world, std::unique_ptr<Workload>& workload, CellRecord& record,
                             const RunningMarker& marker, const Checkpointing& checkpointing) {
  const Settings whole = cell_.settings.whole();
  SettingsReader settings(whole);
  const MergerEntry& entry = find_method(cell_.method);
  int rounds_after = 0;  // as the cell knows
  const std::unique_ptr<Merger> merger = make_merger(entry, settings, rounds_after);
  group_.together([&] { workload = world.make(whole); });
  const std::vector<std::unique_ptr<RoundObserver>> observers = make_observers(*workload, entry.regime);
  std::vector<RoundObserver*> looking;
  for (const auto& observer : observers) looking.push_back(observer.get());
  const FleetOptions& fleet = cell_.fleet;
  const auto place = [&](int round) { return cat("round ", round, " of ", fleet.rounds()); };
  const auto emit = [&](const RoundRecord& round) {
    record.rounds.push_back(round);
    trained_seconds_ += round.seconds.train;
    marker.write(place(round.round));
    if (progress_ == nullptr) return;
    const CellShare done{.trained = static_cast<double>(round.epoch) / fleet.epochs,
                         .rest = static_cast<double>(round.round) / fleet.rounds()};
    progress_->advance(done, training_, cat(place(round.round), ", ", cell_.label()));
  };
  TrainingWatch watch;
  if (progress_ != nullptr)
    watch = [&](int round, double share) {
      if (!progress_->is_due()) return;
      const int before = fleet.epochs_after(round - 1);
      const double epochs = before + share * (fleet.epochs_after(round) - before);
      const CellShare done{.trained = epochs / fleet.epochs, .rest = (round - 1.0) / fleet.rounds()};
      progress_->advance(done, training_, cat(place(round), ", ", cell_.label()));
    };
  if (progress_ != nullptr && progress_->is_due()) progress_->advance({}, training_, cell_.label());
  return run_cell(fleet, entry.regime, merger.get(), *workload, group_, emit, checkpointing, looking, watch);
}

void CellRunner::keep_weights(const CellResult& result, const Workload& workload, CellRecord& record) {
  if (result.merged) record.merged = &*result.merged;
  record.symmetry = &workload.symmetry();
  const GroupElement identity = workload.symmetry().identity();
  record.elements = gather_parts(result.robots, result.elements, identity, group_);
  record.bases = gather_parts(result.robots, result.bases, to_matrices(identity), group_);
}

}  // namespace fleet
