// What in a sweep's directory is this program's, and what is somebody else's.
#include "sweep/directory_files.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>

#include "base/process.hpp"
#include "io/atomic_file.hpp"
#include "sweep/claims.hpp"
#include "sweep/sweep_directory.hpp"

namespace fleet {
namespace {

const std::string kId = "0123456789abcdef";
const std::string kOther = "fedcba9876543210";

/// Files of dead jobs, those that may yet be wanted, and those of others whose names are much like ours.
class LeftoversTest : public SweepDirectoryTest {
 protected:
  void leave() const {
    directory().prepare(plan(1, "seed = 0\n"));
    const fs::path root = directory().path();
    fs::create_directories(directory().models(kId));
    for (const char* folder : {"cells-old", "cells/below", "models/mine", "queue.fleet-folder"}) {
      fs::create_directories(root / folder);
    }
    finish(kId);
    for (const Texts& files : {gone_, kept_, others_}) {
      for (const std::string& name : files) std::ofstream(root / name, std::ios::app) << "x";
    }
  }
  /// All that lies in and beside the directory, by its name from there, with what is in it.
  std::map<std::string, std::string> left() const {
    std::map<std::string, std::string> files;
    const fs::path beside = directory().path().parent_path();
    for (const auto& entry : fs::recursive_directory_iterator(beside)) {
      if (entry.is_regular_file()) {
        files[entry.path().lexically_relative(directory().path()).string()] = slurp(entry.path());
      }
    }
    return files;
  }
  std::map<std::string, std::string> without_gone(std::map<std::string, std::string> files) const {
    for (const std::string& name : gone_) EXPECT_EQ(files.erase(name), 1U) << name;
    return files;
  }

  const Texts gone_{"queue.fleet-AbCdEf",
                    "sweep.toml.fleet-host.7.tmp",
                    "cells.tsv.fleet-host.example.org.7-2.tmp",
                    "cells/" + kId + ".h5.fleet-host.7.tmp",
                    "cells/" + kId + ".failed.h5.fleet-host.7.tmp",
                    "cells/" + kId + ".checkpoint.fleet-host.7.tmp",
                    "cells/" + kId + ".training.fleet-host.7.tmp",
                    "cells/" + kId + ".running.fleet-host.7.tmp",
                    "cells/" + kId + ".h5." + host_name() + ".7.tmp",  // as earlier versions had them
                    "cells/" + kId + ".checkpoint.tmp",
                    "cells/" + kId + ".running",
                    "cells/" + kId + ".checkpoint",
                    "cells/" + kId + ".checkpoint.old",
                    "cells/" + kOther + ".running",
                    "models/" + kId + "/merged.h5.fleet-host.7.tmp",
                    "models/" + kId + "/robot-12.h5.fleet-host.7.tmp",
                    "models/" + kId + "/merged-3.h5.fleet-host.7.tmp",
                    "models/" + kId + "/personal-2.h5.fleet-host.7.tmp",
                    "../sweep.h5.fleet-host.7.tmp",
                    "../sweep.h5." + host_name() + ".1.tmp"};
  const Texts kept_{"cells/" + kOther + ".checkpoint", "cells/" + kOther + ".checkpoint.old",
                    "cells/" + kOther + ".training", "models/" + kId + "/merged.h5", "runs.tsv"};
  const Texts others_{"a.tmp",
                      "queue.x",
                      "queue.py",
                      "queue.AbCdEf",
                      "queue.fleet-AbCdEfG",
                      "sweep.toml.bak",
                      "sweep.toml.tmp",
                      "sweep.toml.host.7.tmp",
                      "notes.fleet-host.7.tmp",
                      ".fleet-host.7.tmp",
                      ".fleet-scratch-AbCdEf",
                      "x.running",
                      "runs.tsv.fleet-host.tmp",
                      "cells.tsv.fleet-.7.tmp",
                      "cells.tsv.fleet-host.7.tmp.bak",
                      "cells.tsv.fleet-host.7-.tmp",
                      "cells/queue.fleet-AbCdEf",
                      "cells/x.running",
                      "cells/" + kId + ".h5.host.7.tmp",
                      "cells/" + kId + ".h5.tmp",
                      "cells/" + kId + "0.running",
                      "cells/below/" + kId + ".running",
                      "cells/below/sweep.toml.fleet-host.7.tmp",
                      "cells-old/" + kId + ".h5.fleet-host.7.tmp",
                      "models/merged.h5.fleet-host.7.tmp",
                      "models/mine/merged.h5.fleet-host.7.tmp",
                      "models/" + kId + "/mine.h5.fleet-host.7.tmp",
                      "queue.fleet-folder/draft.tmp",
                      "../other.h5.fleet-host.7.tmp",
                      "../sweep.h5.tmp",
                      "../sweep.h5.old.1.tmp"};
};

TEST_F(LeftoversTest, are_swept_when_nobody_is_there_and_nothing_else_is_touched) {
  leave();
  const auto rest = without_gone(left());
  directory().prepare(plan(1, "seed = 0\n"));
  EXPECT_EQ(left(), rest);
}

TEST_F(LeftoversTest, a_checkpoint_of_a_done_cell_stays_where_done_cells_are_run_again) {
  leave();
  auto rest = left();
  directory().prepare(plan(1, "seed = 0\n"), {.keep_checkpoints = true});
  EXPECT_TRUE(fs::exists(directory().checkpoint_file(kId)));
  EXPECT_TRUE(fs::exists(directory().checkpoint_file(kId).string() + ".old"));
  EXPECT_FALSE(fs::exists(directory().running_file(kId)));
}

TEST_F(LeftoversTest, stay_as_long_as_anybody_is_there_who_may_have_written_them) {
  leave();
  const auto all = left();
  auto another = directory().prepare(plan(1, "seed = 0\n"));
  leave();
  {
    const CellClaims its_group(directory().path());
    another.reset();  // its first rank has ended, another works on
    directory().prepare(plan(1, "seed = 0\n"));
    EXPECT_EQ(left().size(), all.size());
  }
  const auto third = directory().prepare(plan(1, "seed = 0\n"));
  EXPECT_LT(left().size(), all.size());
  leave();
  directory().prepare(plan(1, "seed = 0\n"));
  EXPECT_EQ(left().size(), all.size()) << "he who has swept is there himself";
}

TEST_F(LeftoversTest, a_joined_file_that_is_being_written_is_none) {
  leave();
  const TemporaryFile writing(directory().joined_file());
  directory().prepare(plan(1, "seed = 0\n"));
  EXPECT_TRUE(fs::exists(writing.path()));
}

TEST_F(LeftoversTest, are_not_touched_by_who_is_refused) {
  leave();
  const auto all = left();
  EXPECT_THROW((void)directory().prepare(plan(1, "seed = 1\n")), ConfigError);
  EXPECT_EQ(left(), all);
}

TEST_F(LeftoversTest, a_link_by_the_name_of_one_leads_nowhere) {
  leave();
  const fs::path precious = scratch_ / "precious";
  std::ofstream(precious) << "precious";
  const fs::path queue = directory().path() / "queue.fleet-QqQqQq";
  const fs::path half = directory().path() / "cells.tsv.fleet-host.9.tmp";
  for (const fs::path& link : {queue, half}) fs::create_symlink(precious, link);
  directory().prepare(plan(1, "seed = 0\n"));
  EXPECT_EQ(slurp(precious), "precious");
  for (const fs::path& link : {queue, half}) EXPECT_TRUE(fs::is_symlink(link)) << link;
}

/// A directory that holds somebody's files.
class OccupiedTest : public SweepDirectoryTest {
 protected:
  void occupy(const Texts& names) const {
    for (const std::string& name : names) {
      const fs::path file = directory().path() / name;
      fs::create_directories(file.parent_path());
      std::ofstream(file) << "precious";
    }
  }
  std::string refusal(const Preparation& allowed = {}) const {
    return complaint([&] { directory().prepare(plan(1, "seed = 0\n"), allowed); });
  }
  Texts names() const {
    Texts found;
    for (const auto& entry : fs::recursive_directory_iterator(directory().path())) {
      found.push_back(entry.path().lexically_relative(directory().path()).string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
};

TEST_F(OccupiedTest, is_refused_by_the_names_of_what_lies_there_and_stays_as_it_is) {
  occupy({"draft.tmp", "notes/table.tmp", "queue.txt", "small.toml", "line\nbreak"});
  const Texts before = names();
  EXPECT_THROW(directory().prepare(plan(1, "")), ConfigError);
  const std::string message = refusal();
  for (const std::string& part :
       {directory().path().string() +
            " is not empty and holds no sweep: there is draft.tmp, line?break, notes and 2 more",
        std::string("--output"), std::string("--into-existing")}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " is missing in: " << message;
  }
  EXPECT_EQ(names(), before);
}

TEST_F(OccupiedTest, is_shared_on_demand) {
  const Texts mine{"draft.tmp", "notes/table.tmp", "queue.txt", ".running"};
  occupy(mine);
  EXPECT_EQ(refusal({.into_existing = true}), "accepted");
  EXPECT_EQ(refusal(), "accepted") << "it holds a sweep from now on";
  for (const std::string& name : mine) EXPECT_EQ(slurp(directory().path() / name), "precious") << name;
}

TEST_F(OccupiedTest, is_never_shared_where_a_file_has_the_name_of_one_of_ours) {
  for (const char* name : {"sweep.toml", "cells.tsv", "cells.lock", "runs.tsv", "cells", "cells/mine", "models/mine"}) {
    fs::remove_all(directory().path());
    occupy({name});
    const Texts before = names();
    for (const bool into_existing : {false, true}) {
      const std::string message = refusal({.into_existing = into_existing});
      EXPECT_NE(message.find("which a sweep there would write over"), std::string::npos) << name << ": " << message;
    }
    EXPECT_EQ(names(), before);
    if (fs::is_regular_file(directory().path() / name)) {
      EXPECT_EQ(slurp(directory().path() / name), "precious") << name;
    }
  }
}

TEST_F(OccupiedTest, is_not_what_only_holds_logs_and_scripts_of_batch_jobs) {
  occupy({"slurm-7.out", "sweep-7.log", "sweep-7.err", "sweep.sbatch"});
  EXPECT_EQ(refusal(), "accepted");
}

TEST_F(OccupiedTest, is_not_what_holds_an_interrupted_preparation) {
  fs::create_directories(directory().path() / "cells");
  EXPECT_EQ(refusal(), "accepted");
  for (const char* missing : {"sweep.toml", "cells.tsv"}) fs::remove(directory().path() / missing);
  std::ofstream(directory().path() / "sweep.toml.fleet-host.7.tmp") << "half";
  EXPECT_EQ(refusal(), "accepted");
}

TEST_F(OccupiedTest, is_not_what_other_jobs_are_preparing_at_the_same_time) {
  for (int time = 0; time < 10; ++time) {
    fs::remove_all(directory().path());
    std::vector<pid_t> jobs;
    for (int job = 0; job < 6; ++job) {
      jobs.push_back(fork());
      if (jobs.back() == 0) {
        const std::string said = refusal();
        if (said != "accepted") std::cerr << said << std::endl;
        _exit(said == "accepted" ? 0 : 1);
      }
    }
    for (const pid_t job : jobs) {
      int status = 1;
      waitpid(job, &status, 0);
      EXPECT_EQ(status, 0);
    }
  }
}

TEST_F(OccupiedTest, is_not_what_holds_a_copy_of_a_sweep_without_its_file_of_locks) {
  Sweep sweep = plan(1, "seed = 0\n");
  sweep.cells[0].id = kId;
  directory().prepare(sweep);
  fs::remove(directory().path() / "cells.lock");
  occupy({"notes.txt"});
  EXPECT_EQ(complaint([&] { directory().prepare(sweep); }), "accepted");
}

TEST_F(SweepDirectoryTest, links_in_it_are_refused_and_lead_nowhere) {
  Sweep sweep = plan(1, "seed = 0\n");
  sweep.cells[0].id = kId;
  const fs::path elsewhere = scratch_ / "elsewhere";
  fs::create_directories(elsewhere / "folder");
  std::ofstream(elsewhere / "file") << "precious";
  for (const std::string& name :
       {std::string("sweep.toml"), std::string("cells.tsv"), std::string("cells.lock"), std::string("runs.tsv"),
        std::string("cells"), std::string("models"), "models/" + kId}) {
    fs::remove_all(directory().path());
    directory().prepare(sweep);
    const fs::path link = directory().path() / name;
    const bool folder = name.starts_with("models") || name == "cells";
    fs::create_directories(link.parent_path());
    fs::remove_all(link);
    fs::create_symlink(elsewhere / (folder ? "folder" : "file"), link);
    const std::string message = complaint([&] { directory().prepare(sweep); });
    EXPECT_NE(message.find(link.string() + " is a symbolic link, which is not followed"), std::string::npos) << message;
    EXPECT_EQ(message.find("as a whole be a link") != std::string::npos, folder) << message;
    EXPECT_TRUE(fs::is_empty(elsewhere / "folder"));
    EXPECT_EQ(slurp(elsewhere / "file"), "precious");
  }
}

}  // namespace
}  // namespace fleet
