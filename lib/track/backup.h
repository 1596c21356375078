/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The files of a backup: copied by name below two open folders, no link followed. */
#ifndef TRAINMON_TRACK_BACKUP_H
#define TRAINMON_TRACK_BACKUP_H
#include <stddef.h>
#include <stdint.h>

/* The folder of a store that is copied, and that of its copy. -1: not open. */
typedef struct tmon_backup_folders {
  int from;
  int to;
} tmon_backup_folders;

int tmon_backup_open(tmon_backup_folders *out, const char *from, const char *to);
void tmon_backup_close(tmon_backup_folders *folders);
int tmon_backup_picture(const tmon_backup_folders *folders, const char *hash); /* TMON_DONE: the store has no such file (any more) */
int tmon_backup_logs(const tmon_backup_folders *folders);                      /* what trainings from recipes have printed */
int tmon_backup_check(const char *folder);                                     /* TMON_EEXISTS: there is something */
int tmon_backup_place(const char *draft, const char *folder);                  /* all of it on the disk, then the name */
void tmon_backup_remove(const char *folder);                                   /* with all that is in it; needs no memory of ours */
#endif
