/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Replays a corpus through a fuzz target as an ordinary test: each argument is a file, or a folder of files. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path, long size) {
  int result = 1;
  /* Exactly as long as the file, so that the address sanitizer sees a read past the end. */
  uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
  FILE *file = fopen(path, "rb");
  if (data && file && fread(data, 1, (size_t)size, file) == (size_t)size) {
    result = LLVMFuzzerTestOneInput(data, (size_t)size) == 0 ? 0 : 1;
  } else {
    (void)fprintf(stderr, "%s can't be read\n", path);
  }
  if (file) (void)fclose(file);
  free(data);
  return result;
}

static int replay(const char *path, int *count) {
  struct stat info;
  if (stat(path, &info) != 0) {
    (void)fprintf(stderr, "%s is not there\n", path);
    return 1;
  }
  if (S_ISREG(info.st_mode)) {
    (*count)++;
    return replay_file(path, (long)info.st_size);
  }
  DIR *folder = opendir(path);
  int failed = folder ? 0 : 1;
  for (struct dirent *entry = folder ? readdir(folder) : NULL; entry; entry = readdir(folder)) {
    char child[4096];
    if (entry->d_name[0] == '.') continue;
    int length = snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
    failed |= length > 0 && (size_t)length < sizeof child ? replay(child, count) : 1;
  }
  if (folder) (void)closedir(folder);
  return failed;
}

int main(int argc, char **argv) {
  int failed = 0;
  int count = 0;
  for (int i = 1; i < argc; i++) failed |= replay(argv[i], &count);
  (void)printf("%d inputs replayed\n", count);
  /* A corpus that went missing must not pass. */
  return failed || count == 0 ? 1 : 0;
}
