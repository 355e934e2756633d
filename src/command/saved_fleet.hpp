// Saved models as a fleet that can be merged and measured, each with the data it was trained on where they are to be
// had.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/model_file.hpp"
#include "sweep/cell.hpp"

namespace fleet {

class SavedFleet {
 public:
  /// Reads the models and checks that they are of one network; loads what data their settings name, `overrides` put
  /// over them. Data that are not there, or no longer those that a model was trained on, are no error before they are
  /// asked for. Collective; Error names the files.
  SavedFleet(std::vector<std::filesystem::path> paths, const Settings& overrides, std::span<const WorldEntry> worlds,
             const Comm& comm);

  /// Robot i of the input is the i-th file, the robots of one cell being put into their order; seed and round are the
  /// first's, so that the models of all robots of a cell are merged as in their sweep. With `wanted_by`, the data of
  /// robots that have none are an object that answers every question with an Error naming `wanted_by`, the file and
  /// why; else nullptr.
  [[nodiscard]] MergeInput input(const std::string& wanted_by = "");
  /// The problem of the first file; Error naming `wanted_by` and why if its data are not there.
  [[nodiscard]] Workload& workload(const std::string& wanted_by);
  [[nodiscard]] bool has_workload() const { return entries_.front().workload != nullptr; }
  /// Why it has none.
  [[nodiscard]] const std::string& missing() const { return entries_.front().missing; }

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const std::filesystem::path& path(std::size_t i) const { return entries_[i].path; }
  [[nodiscard]] const SavedModel& model(std::size_t i) const { return entries_[i].model; }

 private:
  struct Entry {
    std::filesystem::path path;
    SavedModel model;
    std::shared_ptr<Workload> workload;  // one for all files with the same settings
    std::unique_ptr<Robot> robot;        // on the rank that carries it
    std::string missing;                 // why there is no workload, or no robot
    std::unique_ptr<LocalData> stand_in;
  };
  /// A line a file, which differs where its model does.
  [[nodiscard]] std::string identities() const;
  /// Where all are of one cell's robots: a shell lists robot-10 before robot-2.
  void sort_robots();
  void load_worlds(std::span<const WorldEntry> worlds, const Comm& comm);
  void make_robots(const Comm& comm);

  std::vector<Entry> entries_;
  Worlds made_;
  int begin_ = 0;  // of the files that this rank carries
  int end_ = 0;
};

}  // namespace fleet
