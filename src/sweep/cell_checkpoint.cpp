#include "sweep/cell_checkpoint.hpp"

#include "base/error.hpp"

namespace fleet {

CellCheckpoint::CellCheckpoint(std::filesystem::path file, std::string origin, std::string label, std::ostream& log,
                               Kind kind)
    : file_(std::move(file)),
      kind_(kind),
      older_(kind == Kind::kCell ? file_.string() + ".old" : ""),
      origin_(std::move(origin)),
      label_(std::move(label)),
      log_(log) {}

void CellCheckpoint::create() {
  writer_.reset();  // what is left of one that failed
  writer_.emplace(file_);
  writer_->append(origin_);
}

void CellCheckpoint::commit() {
  writer_->commit(older_);
  writer_.reset();
}

bool CellCheckpoint::open() {
  for (const std::filesystem::path& file : {file_, older_}) {
    if (!std::filesystem::exists(file)) continue;
    try {
      reader_.emplace(file);
      const std::string origin = reader_->next();
      require(origin == origin_, file.string(), " was written by ", origin, ", not ", origin_);
      std::error_code ignored;  // a newer one that is of no use would take the place of this one at the next commit
      if (file == older_) std::filesystem::remove(file_, ignored);
      return true;
    } catch (const Error& error) {
      log_ << "fleet: " << label_ << ": this checkpoint is not used: " << error.what() << std::endl;
    }
  }
  return false;
}

void CellCheckpoint::warn(std::string_view reason) {
  writer_.reset();
  log_ << "fleet: " << label_
       << (kind_ == Kind::kTraining ? ": other cells train this again: " : ": goes on without a checkpoint: ") << reason
       << std::endl;
}

void CellCheckpoint::discard() {
  writer_.reset();
  reader_.reset();
  std::error_code ignored;
  for (const std::filesystem::path& file : {file_, older_}) std::filesystem::remove(file, ignored);
}

}  // namespace fleet
