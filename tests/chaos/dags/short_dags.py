"""For Airflow: jobs that end around the time of their deferral."""

from chaos_jobs import dag, job

with dag("short"):
    for last in (0, 1, 2, 4, 5, 6):
        for number in range(4):
            job(f"short_{last}_{number}", last)
